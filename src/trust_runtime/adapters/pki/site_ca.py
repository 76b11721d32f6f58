"""The certificate authority of one site, in a folder of its own (contract 2.5)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from trust_runtime.adapters.pki.bundles import read_bundle
from trust_runtime.adapters.pki.certificates import (
    BACKDATED_S,
    DAY_S,
    Dates,
    Subject,
    make_ca,
    make_issued,
    p256_key_of,
)
from trust_runtime.adapters.pki.facts import uris_of
from trust_runtime.adapters.pki.identity import key_pem, load_key
from trust_runtime.adapters.pki.private_files import (
    hold_folder,
    make_private_folder,
    read_private,
    write_private,
)
from trust_runtime.adapters.pki.public_files import pem_of, read_certificates, refused
from trust_runtime.contracts.codec import canonical_json, decode_json
from trust_runtime.contracts.errors import ContractViolation, ExitCode, StartRefused
from trust_runtime.contracts.identity import site_spiffe_id
from trust_runtime.contracts.ids import (
    SPIFFE_ROOT,
    RuntimeId,
    SiteName,
    is_id_part,
    site_of,
)

KEY_NAME: Final = "ca.key"
CERTIFICATE_NAME: Final = "ca.crt"
CRL_NAME: Final = "ca.crl"
ISSUED_NAME: Final = "issued.jsonl"


class IssuedCertificate(Struct, frozen=True, kw_only=True):
    """One line of `issued.jsonl`."""

    serial: str
    """Lower-case hex."""
    runtime_id: RuntimeId
    """Whom it is for."""
    fingerprint: str
    """Lower-case hex SHA-256 of the DER certificate."""
    issued_at_s: int
    """Seconds since the epoch."""
    not_after_s: int
    """End of its validity, seconds since the epoch."""


class SiteCa:
    """Signs certificates of one site's runtimes; its key never leaves its folder."""

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._key = key
        self.folder = folder
        self.certificate = certificate
        self.site = SiteName(uris_of(certificate)[0].removeprefix(f"{SPIFFE_ROOT}/"))

    @property
    def ends_s(self) -> int:
        """When the CA itself ends, seconds since the epoch."""
        return int(self.certificate.not_valid_after_utc.timestamp())

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """The signing key; for revocation lists, which this package writes elsewhere."""
        return self._key

    def issue(self, subject: Subject, *, days: int, now_s: int) -> x509.Certificate:
        """Return a certificate that is recorded in `issued.jsonl` before anybody gets it.

        It never outlives the CA.

        Args:
            subject: whom it is for.
            days: how long it is valid, from `now_s`.
            now_s: seconds since the epoch.

        Raises:
            StartRefused: exit code 1; the runtime is of another site, or it cannot be recorded.
        """
        if site_of(subject.runtime_id) != self.site:
            raise refused(
                f"{self.folder} is the CA of {self.site}, and {subject.runtime_id} is of"
                f" {site_of(subject.runtime_id)}",
                "use the CA of that site, or set runtime.cloud.site",
            )
        dates = Dates(starts_s=now_s - BACKDATED_S, ends_s=min(now_s + days * DAY_S, self.ends_s))
        certificate = make_issued(subject, self.certificate, self._key, dates=dates)
        record = IssuedCertificate(
            serial=f"{certificate.serial_number:x}",
            runtime_id=subject.runtime_id,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            issued_at_s=now_s,
            not_after_s=dates.ends_s,
        )
        with writing(self.folder):
            before = read_private(self.folder / ISSUED_NAME) or b""
            write_private(self.folder / ISSUED_NAME, before + canonical_json(record) + b"\n")
        return certificate

    def issued(self) -> tuple[IssuedCertificate, ...]:
        """Return every certificate this CA ever issued, oldest first.

        Raises:
            StartRefused: `issued.jsonl` is damaged; naming the line.
        """
        content = read_private(self.folder / ISSUED_NAME) or b""
        found: list[IssuedCertificate] = []
        for number, line in enumerate(content.splitlines(), 1):
            try:
                found.append(decode_json(line, IssuedCertificate))
            except ContractViolation as error:
                raise refused(
                    f"{self.folder / ISSUED_NAME}:{number} is damaged: {error}",
                    "restore it from a backup",
                ) from error
        return tuple(found)


def create_ca(folder: Path, site: SiteName, *, days: int, now_s: int) -> SiteCa:
    """Make the CA of `site` in `folder`, which is made too.

    Raises:
        StartRefused: there is a CA already, or it cannot be written.
        ContractViolation: `site` is no site name.
    """
    if not is_id_part(site):
        raise ContractViolation("--site", site, "letters, digits, '.', '_', '-'")
    with _told(folder):
        make_private_folder(folder)
    with writing(folder):
        for name in (KEY_NAME, CERTIFICATE_NAME, ISSUED_NAME):
            if (folder / name).exists():
                raise refused(
                    f"{folder / name} is there already", "use this CA, or give --ca another folder"
                )
        key = ec.generate_private_key(ec.SECP256R1())
        dates = Dates(starts_s=now_s - BACKDATED_S, ends_s=now_s + days * DAY_S)
        certificate = make_ca(key, site, dates=dates)
        write_private(folder / KEY_NAME, key_pem(key))
        write_private(folder / ISSUED_NAME, b"")
        write_private(folder / CERTIFICATE_NAME, pem_of([certificate]), mode=0o644)
    return SiteCa(folder, certificate, key)


def open_ca(folder: Path, *, now_s: int) -> SiteCa:
    """Return the CA in `folder`.

    Raises:
        StartRefused: there is none, it expired, or its key is damaged or readable by others.
    """
    path = folder / CERTIFICATE_NAME
    key = load_key(folder / KEY_NAME)
    if key is None or not path.exists():
        raise refused(f"{folder} holds no CA", "make one: trust-runtime pki init --site SITE")
    certificate = read_certificates(path)[0]
    uris = uris_of(certificate)
    site = SiteName(uris[0].removeprefix(f"{SPIFFE_ROOT}/") if len(uris) == 1 else "")
    if not is_id_part(site) or uris != (site_spiffe_id(site),):
        raise refused(f"{path} names no site", "give --ca the folder that pki init made")
    read_bundle(path, site=site, now_s=now_s)
    if p256_key_of(certificate) != key.public_key():
        raise refused(f"{path} is not of {folder / KEY_NAME}", "restore both from one backup")
    return SiteCa(folder, certificate, key)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Be the only writer of `folder`; what goes wrong there is told as a refusal."""
    with _told(folder), hold_folder(folder):
        yield


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartRefused(
            f"{error.filename or folder} cannot be written: {error.strerror}",
            f"make {folder} a folder that this user can write, with room on its disk",
            ExitCode.ERROR,
        ) from error
