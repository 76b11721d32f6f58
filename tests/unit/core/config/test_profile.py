"""A profile over the API: contract 11.4, T15."""

from itertools import product

import pytest

from config_samples import changed, settings_with
from trust_runtime.contracts.policy import Profile
from trust_runtime.core.config.patch import check_patch
from trust_runtime.core.config.profile import profile_problem

ORDER = list(Profile)


@pytest.mark.parametrize(("before", "after"), list(product(Profile, Profile)))
def test_a_write_never_lowers_a_profile(before: Profile, after: Profile) -> None:
    found = profile_problem(
        settings_with(runtime__cloud__profile=str(before)),
        settings_with(runtime__cloud__profile=str(after)),
    )
    if before is after:
        assert found is None
    elif ORDER.index(after) < ORDER.index(before):
        assert found is not None
        assert "only in runtime.toml" in found
    else:
        assert found is not None
        assert f"{after} needs runtime.web.auth='token', runtime.web.tls=true" in found


@pytest.mark.parametrize(
    ("in_file", "desired", "patch", "refused"),
    [
        ("wan", {}, {"runtime_cloud.profile": "dev"}, "lowered to dev"),
        ("wan", {}, {"runtime_cloud.profile": None}, None),
        (
            "dev",
            {"runtime_cloud.profile": "wan"},
            {"runtime_cloud.profile": None},
            "lowered to dev",
        ),
        ("dev", {}, {"runtime_cloud.profile": "plant"}, "plant needs"),
        ("plant", {}, {"log.level": "debug"}, None),
    ],
)
def test_the_effective_profile_counts_wherever_it_stands(
    in_file: str, desired: dict[str, str], patch: dict[str, str], refused: str | None
) -> None:
    verdict = check_patch(
        patch, file_values=changed(runtime__cloud__profile=in_file), document=desired
    )
    if refused is None:
        assert verdict.problems == ()
    else:
        (text,) = verdict.problems
        assert refused in text
