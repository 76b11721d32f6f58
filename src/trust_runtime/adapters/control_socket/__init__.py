"""The control socket: control requests as lines of JSON, for this machine's own users (14.4)."""

from trust_runtime.adapters.control_socket.asking import NobodyAnswers, ask
from trust_runtime.adapters.control_socket.server import ControlSocket

__all__ = ["ControlSocket", "NobodyAnswers", "ask"]
