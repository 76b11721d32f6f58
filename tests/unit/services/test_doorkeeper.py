from msgspec import structs

from fakes.clock import FakeClock
from signed_fleet import boot, settings_of
from trust_runtime.contracts.credentials import Presented
from trust_runtime.contracts.denial import Denial, DenialCode
from trust_runtime.contracts.policy import Caller, Role
from trust_runtime.contracts.secret import Secret
from trust_runtime.contracts.settings import WebAuth
from trust_runtime.services.doorkeeper import ADDRESSES_MAX, Doorkeeper
from trust_runtime.services.running import Running

RIGHT = "the right token of this very test"


class Scene:
    """A doorkeeper in token mode, and a clock."""

    def __init__(self, auth: WebAuth = WebAuth.TOKEN) -> None:
        self.clock = FakeClock()
        settings = settings_of()
        self.running = Running(
            settings=structs.replace(
                settings,
                web=structs.replace(settings.web, auth=auth),
                control_token=Secret(value=RIGHT),
            ),
            file_values={},
            boot_id=boot(1),
            clock=self.clock,
        )
        self.keeper = Doorkeeper(running=self.running, clock=self.clock)

    def ask(self, *tokens: str, address: str = "10.0.0.9") -> Caller | Denial:
        return self.keeper.admit(
            Presented(
                address=address,
                is_loopback=False,
                is_forwarded=False,
                tokens=tuple(token.encode() for token in tokens),
            )
        )

    def code(self, *tokens: str, address: str = "10.0.0.9") -> DenialCode | None:
        found = self.ask(*tokens, address=address)
        return found.code if isinstance(found, Denial) else None


def test_the_right_token_is_admin_of_the_own_site() -> None:
    here = Scene()
    settings = here.running.settings
    assert here.ask(RIGHT) == Caller(
        identity="token://static-admin", role=Role.ADMIN, scope=(settings.site,)
    )


def test_a_new_token_counts_with_the_next_request_and_the_old_one_no_more() -> None:
    here = Scene()
    settings = here.running.settings
    here.running.settings = structs.replace(settings, control_token=Secret(value="new"))
    assert here.code(RIGHT) is DenialCode.PERMISSION_DENIED
    assert here.code("new") is None


def test_how_callers_prove_themselves_changes_only_with_a_start() -> None:
    here = Scene()
    settings = here.running.settings
    web = structs.replace(settings.web, auth=WebAuth.LOCAL)
    here.running.settings = structs.replace(settings, web=web)
    assert here.code() is DenialCode.PERMISSION_DENIED
    assert here.code(RIGHT) is None


def test_no_wrong_and_two_tokens_are_refused_alike() -> None:
    here = Scene()
    assert here.ask() == here.ask("wrong") == here.ask(RIGHT, "wrong")
    assert "wrong" not in str(here.ask("wrong"))


def test_ten_guesses_slow_down_the_guesser_and_nobody_else() -> None:
    here = Scene()
    for _ in range(10):
        assert here.code("wrong") is DenialCode.PERMISSION_DENIED
    found = here.ask("wrong")
    assert isinstance(found, Denial)
    assert (found.code, found.retry_after_ms) == (DenialCode.OVERLOADED, 60_000)
    assert here.code(RIGHT) is None, "a right token is right from everywhere"
    assert here.code() is DenialCode.PERMISSION_DENIED, "who sends no token guesses nothing"
    assert here.code("wrong", address="10.0.0.8") is DenialCode.PERMISSION_DENIED
    here.clock.advance_ms(59_999)
    assert here.code("wrong") is DenialCode.OVERLOADED
    here.clock.advance_ms(1)
    assert here.code("wrong") is DenialCode.PERMISSION_DENIED


def test_requests_without_a_token_are_never_counted() -> None:
    here = Scene()
    assert {here.code() for _ in range(50)} == {DenialCode.PERMISSION_DENIED}


def test_the_table_of_addresses_is_bounded() -> None:
    here = Scene()
    for _ in range(10):
        here.code("wrong", address="10.9.9.9")
    for number in range(ADDRESSES_MAX - 1):
        here.code("wrong", address=f"10.0.{number // 256}.{number % 256}")
    assert here.code("wrong", address="10.9.9.9") is DenialCode.OVERLOADED
    for number in range(ADDRESSES_MAX):
        here.code("wrong", address=f"10.1.{number // 256}.{number % 256}")
    assert here.code("wrong", address="10.9.9.9") is DenialCode.PERMISSION_DENIED


def test_local_mode_counts_nothing() -> None:
    here = Scene(WebAuth.LOCAL)
    assert {here.code("wrong") for _ in range(50)} == {DenialCode.PERMISSION_DENIED}


def test_a_token_at_the_socket_counts_in_every_mode_and_guesses_are_slowed_down() -> None:
    for auth in WebAuth:
        here = Scene(auth)
        found = here.keeper.admit_token(RIGHT, "uid://7")
        assert isinstance(found, Caller)
        assert (found.identity, found.role) == ("token://static-admin", Role.ADMIN)
        for wrong in ("", "\ud800", *(str(number) for number in range(8))):
            refused = here.keeper.admit_token(wrong, "uid://7")
            assert isinstance(refused, Denial)
            assert refused.code is DenialCode.PERMISSION_DENIED
        slow = here.keeper.admit_token("wrong", "uid://7")
        assert isinstance(slow, Denial)
        assert slow.code is DenialCode.OVERLOADED
        assert isinstance(here.keeper.admit_token(RIGHT, "uid://7"), Caller)
        other = here.keeper.admit_token("wrong", "uid://8")
        assert isinstance(other, Denial)
        assert other.code is DenialCode.PERMISSION_DENIED


def test_what_was_admitted_holds_until_its_token_changes() -> None:
    here = Scene()
    shown = Presented(
        address="10.0.0.9", is_loopback=False, is_forwarded=False, tokens=(RIGHT.encode(),)
    )
    assert here.keeper.holds(shown)
    settings = here.running.settings
    here.running.settings = structs.replace(settings, control_token=Secret(value="new"))
    assert not here.keeper.holds(shown)
