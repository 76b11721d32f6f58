"""What a starting process tells the person in front of it (contract 3.2)."""

from collections.abc import Iterator
from pathlib import Path

from trust_runtime.app.tls import web_url
from trust_runtime.contracts.settings import Settings


def start_lines(folder: Path, settings: Settings) -> Iterator[str]:
    """Return the start-up messages, without the final `ready`."""
    mesh, web = settings.mesh, settings.web
    yield f"runtime    {settings.runtime_id} (site {settings.site})"
    yield f"project    {folder}"
    yield f"profile    {settings.profile}"
    yield f"web        {web_url(settings)}" if web.enabled else "web        off"
    yield f"control    unix://{settings.control_socket}"
    if not mesh.enabled:
        yield "mesh       mesh off"
    elif mesh.role == "client":
        yield f"mesh       client of {', '.join(mesh.connect)}"
    else:
        yield f"mesh       {mesh.listen}"
    yield "engine     absent: this version has no program engine, nothing is scanned"
    yield "Press Ctrl+C to stop"
