"""Which messages pass our links, by key: everything else is denied (contract 5.2, 5.4).

Coarse on purpose: Zenoh knows neither sites nor signatures. It keeps out keys that are not ours to
hear, and keeps us from saying what is not ours to say; who may do what is decided on the signed
message.
"""

from typing import Final

from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.keyspace import ROOT, own_prefix

_ANYBODY: Final = f"{ROOT}/*/*"
_PUTS: Final = ("svc/beacon", "diag/edges", "diag/view", "diag/timeline", "mesh/data/*")
_ASKED: Final = ("svc/probe", "cmd/action", "cfg/agent", "diag/audit", "diag/views")
_TOKENS: Final = ("svc/liveliness/*",)
_NEVER_FROM_OUTSIDE: Final = (
    *("_meta/**", "io/**", "cmd/**", "cfg/**", "diag/**", "mesh/**"),
    *("svc/probe", "svc/ha/**", "svc/liveliness/**"),
)
"""Below the own prefix. Not `svc/beacon`: a signed beacon of our own id from elsewhere is how a
second process with our identity shows (D32)."""

_BOTH: Final = ("ingress", "egress")
_EVERYTHING: Final = (
    *("put", "delete", "declare_subscriber", "query", "reply", "declare_queryable"),
    *("liveliness_token", "liveliness_query", "declare_liveliness_subscriber"),
)
_TO_WHOM: Final = "everybody"


def access_control(owner: RuntimeId) -> dict[str, object]:
    """Return Zenoh's `access_control` for a runtime: nothing passes but what is listed here.

    What is denied wins over what is allowed.

    Args:
        owner: who speaks under `truST/SITE/NAME` through this session.
    """
    own = own_prefix(owner)
    rules = (
        _rule("hear", _keys(_ANYBODY, _PUTS), ("put",), flows=("ingress",)),
        _rule("speak", _keys(own, _PUTS), ("put",), flows=("egress",)),
        _rule("subscribe", _keys(_ANYBODY, _PUTS), ("declare_subscriber",)),
        _rule("answer", _keys(own, _ASKED), ("query",), flows=("ingress",)),
        _rule("answered", _keys(own, _ASKED), ("reply", "declare_queryable"), flows=("egress",)),
        _rule("ask", _keys(_ANYBODY, _ASKED), ("query",), flows=("egress",)),
        _rule("asked", _keys(_ANYBODY, _ASKED), ("reply", "declare_queryable"), flows=("ingress",)),
        _rule("see", _keys(_ANYBODY, _TOKENS), ("liveliness_token",), flows=("ingress",)),
        _rule("be seen", _keys(own, _TOKENS), ("liveliness_token",), flows=("egress",)),
        _rule(
            "watch",
            _keys(_ANYBODY, _TOKENS),
            ("liveliness_query", "declare_liveliness_subscriber"),
        ),
        _rule(
            "own prefix",
            _keys(own, _NEVER_FROM_OUTSIDE),
            ("put", "delete"),
            flows=("ingress",),
            permission="deny",
        ),
        _rule("admin space", ["@/**"], _EVERYTHING, permission="deny"),
    )
    return {
        "enabled": True,
        "default_permission": "deny",
        "rules": rules,
        "subjects": [{"id": _TO_WHOM}],
        "policies": [{"rules": [rule["id"] for rule in rules], "subjects": [_TO_WHOM]}],
    }


def _keys(prefix: str, zones: tuple[str, ...]) -> list[str]:
    return [f"{prefix}/{zone}" for zone in zones]


def _rule(
    name: str,
    keys: list[str],
    messages: tuple[str, ...],
    *,
    flows: tuple[str, ...] = _BOTH,
    permission: str = "allow",
) -> dict[str, object]:
    return {
        "id": name,
        "permission": permission,
        "flows": flows,
        "messages": messages,
        "key_exprs": keys,
    }
