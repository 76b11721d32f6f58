"""Bundles and revocation lists between sites: export, import, remove, show (contract 2.5)."""

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from msgspec import Struct

from trust_runtime.adapters.pki.bundles import read_bundle
from trust_runtime.adapters.pki.crls import (
    crl_pem,
    list_for_export,
    number_of,
    read_crl_of,
    read_revocations,
)
from trust_runtime.adapters.pki.installing import install_shared, remove_shared
from trust_runtime.adapters.pki.layout import IdentityLayout
from trust_runtime.adapters.pki.public_files import pem_of, refused
from trust_runtime.adapters.pki.site_ca import open_ca
from trust_runtime.adapters.pki.trust_store import read_trust
from trust_runtime.contracts.ids import SiteName


class ShownBundle(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is installed of one site."""

    site: SiteName
    """Whose CA it is."""
    fingerprints: tuple[str, ...]
    """SHA-256 of each CA certificate in use; compare it with the site by telephone."""
    not_after_s: int | None = None
    """When the last of them ends, seconds since the epoch; absent when none is usable."""
    revoked: int = 0
    """How many serials its revocation list names."""


def export_bundle_of_ca(folder: Path, *, now_s: int) -> bytes:
    """Return the bundle of the CA in `folder` as PEM.

    Raises:
        StartRefused: it is no usable CA.
    """
    return pem_of([open_ca(folder, now_s=now_s).certificate])


def export_bundle_of_project(layout: IdentityLayout, site: SiteName, *, now_s: int) -> bytes:
    """Return the own site's bundle of a project as PEM.

    Raises:
        StartRefused: it has none that is usable.
    """
    return pem_of(read_bundle(layout.own_bundle, site=site, now_s=now_s))


def import_bundle(layout: IdentityLayout, site: SiteName, file: Path, *, now_s: int) -> Path:
    """Install the bundle of another site; return where.

    Raises:
        StartRefused: a certificate in it is no CA of exactly that site, or it cannot be written.
    """
    place = layout.federated_bundle(site)
    install_shared(place, pem_of(read_bundle(file, site=site, now_s=now_s)))
    return place


def remove_bundle(layout: IdentityLayout, site: SiteName) -> Path:
    """Remove another site's bundle, and its revocation list after it; return what was removed.

    Raises:
        StartRefused: there is none.
    """
    place = layout.federated_bundle(site)
    if not remove_shared(place):
        raise refused(f"{place} is not there", "see the installed ones: trust-runtime pki show")
    remove_shared(layout.federated_crl(site))
    return place


def export_crl_of_ca(folder: Path, *, now_s: int) -> bytes:
    """Return the revocation list of the CA in `folder` as PEM; an empty one if none is revoked.

    Raises:
        StartRefused: it is no usable CA, or its list is damaged.
    """
    return list_for_export(open_ca(folder, now_s=now_s), now_s=now_s)


def export_crl_of_project(layout: IdentityLayout) -> bytes:
    """Return the own site's installed revocation list as PEM.

    Raises:
        StartRefused: none is installed, or it is damaged.
    """
    return crl_pem(read_revocations(layout.own_crl))


def import_crl(
    layout: IdentityLayout, own: SiteName, file: Path, *, site: SiteName
) -> tuple[Path, int]:
    """Install the revocation list of a site; return where, and how many serials it names.

    Args:
        layout: the project.
        own: its site.
        file: PEM.
        site: whose list it is; the own site's stands beside the identity.

    Raises:
        StartRefused: no CA of that site's installed bundle signed it, an installed one is newer,
            or it cannot be written.
    """
    trust = read_trust(layout, own).sites.get(site)
    if trust is None or not trust.anchors:
        raise refused(
            f"no usable bundle of {site} is installed in {layout.folder}",
            "install that first: trust-runtime pki import-bundle --site, or pki issue",
        )
    lists = read_crl_of(file, trust.anchors, site=site)
    newest = {one.issuer: number_of(one) for one in lists}
    for one in trust.lists:
        if newest.get(one.issuer, number_of(one)) < number_of(one):
            raise refused(
                f"{file} has number {newest[one.issuer]}, and number {number_of(one)} is installed",
                f"get the present list: trust-runtime pki export-crl at {site}",
            )
    place = _crl_place(layout, own, site)
    install_shared(place, crl_pem(lists))
    return place, sum(len(one) for one in lists)


def remove_crl(layout: IdentityLayout, own: SiteName, *, site: SiteName) -> Path:
    """Remove the revocation list of a site: whom it named is let in again; return what it was.

    Raises:
        StartRefused: there is none.
    """
    place = _crl_place(layout, own, site)
    if not remove_shared(place):
        raise refused(f"{place} is not there", "see the installed ones: trust-runtime pki show")
    return place


def shown_bundles(
    layout: IdentityLayout, own: SiteName
) -> tuple[tuple[ShownBundle, ...], tuple[str, ...]]:
    """Return what is installed of each site, the own one first, and what is not used and why."""
    trust = read_trust(layout, own)
    order = sorted(trust.sites, key=lambda site: (site != own, site))
    shown = tuple(
        ShownBundle(
            site=site,
            fingerprints=tuple(
                one.fingerprint(hashes.SHA256()).hex() for one in trust.sites[site].anchors
            ),
            not_after_s=max(
                (int(one.not_valid_after_utc.timestamp()) for one in trust.sites[site].anchors),
                default=None,
            ),
            revoked=sum(len(one) for one in trust.sites[site].lists),
        )
        for site in order
        if trust.sites[site].anchors
    )
    return shown, trust.notes


def _crl_place(layout: IdentityLayout, own: SiteName, site: SiteName) -> Path:
    return layout.own_crl if site == own else layout.federated_crl(site)
