from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config_samples import REQUIRED, json_values
from trust_runtime.contracts.policy import Role
from trust_runtime.contracts.settings import Settings
from trust_runtime.core.config.check import check_values
from trust_runtime.core.config.keys import KEYS
from trust_runtime.core.config.merge import merge_patch
from trust_runtime.core.config.patch import check_patch, form_problems, overlay, role_needed


def problems(
    patch: dict[str, Any], *, file: dict[str, Any] | None = None, document: Any = None
) -> tuple[str, ...]:
    values = {**REQUIRED, **(file or {})}
    return check_patch(patch, file_values=values, document=document or {}).problems


def test_the_document_lies_over_the_file_by_its_paths() -> None:
    laid = overlay(
        {"runtime.log.level": "info", "bundle.version": 1},
        {"log.level": "debug", "runtime_cloud.profile": "dev", "no.such": 1},
    )
    assert laid == {
        "bundle.version": 1,
        "runtime.log.level": "debug",
        "runtime.cloud.profile": "dev",
        "runtime.no.such": 1,
    }


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        pytest.param(
            {"log.levle": "debug"},
            "unknown config key 'log.levle' (did you mean 'log.level'?)",
            id="misspelt",
        ),
        pytest.param(
            {"runtime.log.level": "debug"},
            "unknown config key 'runtime.log.level' (did you mean 'log.level'?)",
            id="the TOML path",
        ),
        pytest.param({"q" * 9: 1}, "unknown config key 'qqqqqqqqq'", id="like no other"),
        pytest.param({"zzz": None}, "unknown config key 'zzz'", id="deleting an unknown one"),
        pytest.param(
            {"resource.name": "x"},
            "resource.name is set in runtime.toml, not by a config write",
            id="in the file only",
        ),
        pytest.param({"retain.mode": "file"}, "retain.mode is not in this version", id="not built"),
        pytest.param(
            {"mesh.auth_token": "<redacted>"},
            "mesh.auth_token: <redacted> stands for a hidden value; send the value itself",
            id="what stands for a secret",
        ),
    ],
)
def test_forms_that_no_runtime_takes(patch: dict[str, Any], said: str) -> None:
    assert form_problems(patch) == (said,)
    assert problems(patch) == (said,)


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"log.level": "debug"},
        {"log.level": None},
        {"mesh.auth_token": "a secret"},
        {"retain.mode": None},
        {"runtime_cloud.profile": "dev"},
        {"runtime_cloud.wan.allow_write": [{"action": "cfg_apply", "target": "site-b/*"}]},
    ],
)
def test_patches_that_may_be_written(patch: dict[str, Any]) -> None:
    assert form_problems(patch) == ()
    assert problems(patch) == ()


@pytest.mark.parametrize(
    ("patch", "key", "said"),
    [
        ({"log.level": "loud"}, "log.level", '"debug"'),
        ({"log.level": "DEBUG"}, "log.level", '"debug"'),
        ({"web.listen": "0.0.0.0:80"}, "web.auth", "runtime.web.listen is 0.0.0.0:80"),
        (
            {"runtime_cloud.wan.allow_write": [{"action": "cfg_apply", "target": "a*b"}]},
            "runtime_cloud.wan.allow_write[0].target",
            "PREFIX*",
        ),
        (
            {"runtime_cloud.presence.partition_after_ms": 2000},
            "runtime_cloud.presence.partition_after_ms",
            "stale_after_ms",
        ),
        ({"control.auth_token": "canary\n"}, "control.auth_token", "<redacted>"),
    ],
)
def test_values_are_checked_where_the_schema_is_known(
    patch: dict[str, Any], key: str, said: str
) -> None:
    assert form_problems(patch) == ()
    (text,) = problems(patch)
    assert text.startswith(f"{key}: got ")
    assert said in text
    assert "canary" not in text


def test_the_result_counts_not_the_patch_alone() -> None:
    opened = {"mesh.listen": "10.0.0.7:5200"}
    on = {"runtime.mesh.enabled": True}
    (text,) = problems(opened, file=on)
    assert "mesh.auth_token" in text
    assert problems(opened, file={**on, "runtime.mesh.auth_token": "t"}) == ()
    assert problems(opened, file=on, document={"mesh.auth_token": "t"}) == ()
    assert problems({"mesh.auth_token": None}, file=on, document={**opened, "mesh.auth_token": "t"})


def test_every_problem_comes_at_once() -> None:
    found = problems({"log.levle": 1, "resource.name": "x", "log.level": "loud", "ha.role": "x"})
    assert [text.split(" ")[0].rstrip(":") for text in found] == [
        *("unknown", "resource.name", "ha.role", "log.level"),
    ]


def test_a_document_of_another_version_is_told_and_can_be_mended() -> None:
    stored = {"retain.mode": "file", "log.level": "debug"}
    (text,) = problems({"log.level": "info"}, document=stored)
    assert text.startswith("retain.mode: got ")
    assert problems({"retain.mode": None}, document=stored) == ()
    (text,) = problems({}, document={"no.such": 1})
    assert text == "unknown config key 'no.such'"


def test_what_only_the_file_can_mend_is_no_fault_of_a_patch() -> None:
    assert check_patch({"log.level": "debug"}, file_values={}, document={}).problems == ()


@pytest.mark.parametrize(
    ("patch", "role"),
    [
        ({}, Role.ENGINEER),
        ({"log.level": "debug"}, Role.ENGINEER),
        ({"log.level": "debug", "web.listen": "127.0.0.1:1"}, Role.ADMIN),
        ({"mesh.auth_token": None}, Role.ADMIN),
        ({"no.such": 1}, Role.ADMIN),
        ({"retain.mode": "file"}, Role.ADMIN),
    ],
)
def test_the_role_is_that_of_the_highest_key(patch: dict[str, Any], role: Role) -> None:
    assert role_needed(patch) is role


patches = st.dictionaries(
    st.sampled_from([spec.key for spec in KEYS]) | st.text("ab.", max_size=4),
    json_values,
    max_size=4,
)


@given(patch=patches)
def test_a_patch_without_problems_gives_valid_settings(patch: dict[str, Any]) -> None:
    found = problems(patch)
    assert set(form_problems(patch)) <= set(found)
    if not found:
        merged = merge_patch({}, patch)
        assert isinstance(check_values(overlay(REQUIRED, merged)), Settings)
    elif not form_problems(patch):
        assert not isinstance(check_values(overlay(REQUIRED, merge_patch({}, patch))), Settings)
