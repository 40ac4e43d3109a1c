"""Which browsers are loading the page."""

from __future__ import annotations

from chatroom.settings import LOADING_SECONDS
from chatroom.web.contract import WebRequest
from chatroom.web.loading import Loading

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _asks(peer: str, user_agent: str = BROWSER) -> WebRequest:
    return WebRequest("GET", "/", {"user-agent": user_agent}, True, peer)


def test_a_browser_is_loading_for_a_moment_after_it_has_asked() -> None:
    loading = Loading(clock := Clock())
    assert not loading.is_loading("127.0.0.1:2")
    loading.note(_asks("127.0.0.1:1"))
    loading.note(_asks("[::1]:1"))
    clock.now += LOADING_SECONDS
    assert loading.is_loading("127.0.0.1:2")
    assert loading.is_loading("[::1]:2")
    assert not loading.is_loading("127.0.0.2:1")
    clock.now += 0.001
    assert not loading.is_loading("127.0.0.1:2")


def test_programs_are_no_browsers() -> None:
    loading = Loading(Clock())
    loading.note(_asks("127.0.0.1:1", "curl/8.5"))
    loading.note(WebRequest("GET", "/", {}, True, "127.0.0.1:1"))
    assert not loading.is_loading("127.0.0.1:2")


def test_those_long_ago_are_forgotten_when_there_are_many() -> None:
    loading = Loading(clock := Clock())
    for number in range(1000):
        loading.note(_asks(f"10.0.{number // 256}.{number % 256}:1"))
        clock.now += LOADING_SECONDS / 100
    clock.now -= 10 * LOADING_SECONDS  # as it was at the first: nothing is too old
    kept = sum(loading.is_loading(f"10.0.{n // 256}.{n % 256}:1") for n in range(1000))
    assert 100 <= kept <= 400
    assert not loading.is_loading("10.0.0.0:1")
    assert loading.is_loading("10.0.3.231:9")
