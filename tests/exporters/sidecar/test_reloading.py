"""A configuration that changes while the exporter runs: what is good is taken over, what is not changes nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.exporters.sidecar.sidecars import eventually, replace, sidecar

UP = "sla_exporter_config_last_reload_successful"
ONE = "collectors: [{name: one, value: 1}]\n"
TWO = "collectors: [{name: one, value: 1}, {name: two, value: 2}]\n"
BAD = "collectors: [{name: one, valu: 1}]\nlisten: nowhere\n"


def test_sighup_takes_over_what_is_new_and_keeps_what_is_the_same(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE.replace("}]", ", interval: 1h}]")) as running:
        before = running.values()["sla_exporter_collections_total", "one"]
        running.write(TWO.replace("value: 1", "value: 1, interval: 1h"))
        running.signal(signal.SIGHUP)
        found = running.until(lambda seen: ("told_value", "two", "0") in seen)
        assert found["sla_exporter_collections_total", "one"] == before == 1
        assert found[(UP,)] == 1


def test_a_changed_file_is_noticed_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE, arguments=["--log-format", "json"]) as running:
        running.write(TWO)
        running.until(lambda seen: ("told_value", "two", "0") in seen)
        running.write(BAD)
        found = running.until(lambda seen: seen[(UP,)] == 0)
        assert found["told_value", "two", "0"] == 2
        [line] = [each for each in running.lines() if each["level"] == "error"]
        assert "told.yml:1:" in line["msg"]
        assert "told.yml:2:" in line["msg"]
        assert running.ask("/readyz").status == 200
        running.write(ONE)
        found = running.until(lambda seen: seen[(UP,)] == 1 and ("told_value", "two", "0") not in seen)
        assert ("told_value", "one", "0") in found
        assert ("sla_exporter_collector_up", "two") not in found


def test_a_configuration_that_is_written_in_place_is_noticed(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE) as running:
        running.config.write_text(TWO)
        running.until(lambda seen: ("told_value", "two", "0") in seen)


def test_a_config_map_is_followed_through_its_links(tmp_path: Path) -> None:
    """A kubelet writes a new folder, and exchanges the link ..data in one step; told.yml links to ..data/told.yml."""
    mount = tmp_path / "mount"
    mount.mkdir()

    def write(revision: str, text: str) -> None:
        (mount / revision).mkdir()
        (mount / revision / "told.yml").write_text(text)
        (mount / "..data_tmp").symlink_to(revision)
        (mount / "..data_tmp").rename(mount / "..data")

    write("..2026_1", ONE)
    (mount / "told.yml").symlink_to("..data/told.yml")
    inner = tmp_path / "inner"
    inner.mkdir()
    with sidecar(inner, "", arguments=["--config", str(mount / "told.yml")]) as running:
        write("..2026_2", TWO)
        running.until(lambda seen: ("told_value", "two", "0") in seen)


def test_files_that_the_exporter_names_are_watched(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("1")
    with sidecar(tmp_path, ONE + "watch: [more]\n") as running:
        replace(tmp_path / "more", "22")
        assert "a file changed" in running.logged("the configuration was read again")


def test_what_a_bad_configuration_lacks_is_found_once_it_is_there(tmp_path: Path) -> None:
    """Users, headers and a password that was not hashed, in the web configuration that is read beside."""
    with sidecar(tmp_path, ONE, web_config="basic_auth_users: {}\n") as running:
        replace(tmp_path / "web.yml", "basic_auth_users: {a: plain-secret}\n")
        running.until(lambda seen: seen[(UP,)] == 0)
        assert "plain-secret" not in running.log.read_text()
        replace(tmp_path / "web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}\n")
        eventually(lambda: running.ask().headers.get("x-frame-options"), lambda value: value == "deny")
        assert running.values()[(UP,)] == 1


def test_another_address_needs_a_restart_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    with sidecar(tmp_path / "inner", ONE) as running:
        running.write("listen: :1\n" + TWO)
        running.until(lambda seen: ("told_value", "two", "0") in seen)  # --listen comes first
        assert "needs a restart" not in running.log.read_text()
    code = "listen: 127.0.0.1:0\n"
    with sidecar(tmp_path, code + ONE, arguments=["--listen", ""], ready=False) as running:
        running.write("listen: 127.0.0.1:1\n" + TWO)
        running.logged("another address to listen on needs a restart")


def test_services_that_are_new_start_and_those_that_are_gone_end(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE + "diary: diary\nservices: [a, b]\n") as running:
        running.write(ONE + "diary: diary\nservices: [b, c]\n")
        running.logged("the configuration was read again")
        assert (tmp_path / "diary").read_text() == "start a\nstart b\nstop a\nstart c\n"


def test_a_service_that_can_not_start_leaves_all_as_it_was(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE + "diary: diary\nservices: [a, b]\n") as running:
        running.write(TWO + "diary: diary\nservices: [b, c, broken]\n")
        found = running.until(lambda seen: seen[(UP,)] == 0)
        assert ("told_value", "two", "0") not in found
        assert (tmp_path / "diary").read_text() == "start a\nstart b\nstop a\nstart c\nstop c\nstart a\n"
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        assert sorted((tmp_path / "diary").read_text().splitlines()[6:]) == ["stop a", "stop b"]


def test_the_log_changes_with_the_configuration(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE) as running:
        running.write(TWO + "log: {format: json, level: debug}\n")
        running.until(lambda seen: ("told_value", "two", "0") in seen)
        running.logged('"msg":"scraped"')


def test_many_signals_at_once_are_no_trouble(tmp_path: Path) -> None:
    with sidecar(tmp_path, ONE) as running:
        for _ in range(200):
            os.kill(running.process.pid, signal.SIGHUP)
        running.logged("the configuration was read again")
        assert running.values()[(UP,)] == 1
