"""The files of the own identity and of whom this runtime trusts, watched while it runs."""

from typing import Protocol

from trust_runtime.contracts.identity import IdentityChange


class IdentityFiles(Protocol):
    """Reads certificates, bundles and revocation lists anew when they changed."""

    async def look(self) -> IdentityChange | None:
        """Look once; return what changed since the last look, or None.

        What changed is in use for signing and for reading signatures when this returns. An own
        pair that does not fit together is left alone: the one in use stays. Never raises for what
        is in the files; what cannot be used is told by `Signer.own_identity`.
        """
        ...
