"""
The local Upstash server by raw HTTP: every form of request, every shape of answer.
"""

import base64
import hashlib
import http.client
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from scripts.local.resp import CONNECTIONS_MAX
from scripts.local.upstash import LocalUpstash

INCREMENT = "#!lua flags=allow-key-locking\nreturn redis.call('INCR', KEYS[1])"
READ = "#!lua flags=no-writes,allow-key-locking\nreturn redis.call('GET', KEYS[1])"


class Reply(NamedTuple):
    """One HTTP response, decoded when it is JSON."""

    status: int
    body: Any
    headers: dict[str, str]


def call(
    upstash: LocalUpstash, method: str, path: str, body: object = None, /, *, token: str | None = "", **options: str
) -> Reply:
    """Send one request; *body* travels as it is when it is bytes, else as JSON. An empty token is the right one."""
    sent = {name.replace("_", "-"): value for name, value in options.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token or upstash.token}"
    payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(upstash.url).netloc, timeout=10)
    try:
        connection.request(method, path, payload, sent)
        response = connection.getresponse()
        content = response.read()
        headers = {name.lower(): value for name, value in response.headers.items()}
        is_json = headers["content-type"] == "application/json" and content
        return Reply(response.status, json.loads(content) if is_json else content, headers)
    finally:
        connection.close()


def command(upstash: LocalUpstash, *arguments: object, **headers: str) -> Any:
    reply = call(upstash, "POST", "/", list(arguments), **headers)
    return reply.body["result"] if "result" in reply.body else reply.body["error"]


def test_a_command_in_the_body_is_answered_with_its_result(upstash: LocalUpstash) -> None:
    assert call(upstash, "POST", "/", ["SET", "body:k", "v", "EX", 100]).body == {"result": "OK"}
    assert call(upstash, "POST", "/", ["GET", "body:k"])[:2] == (200, {"result": "v"})
    assert command(upstash, "GET", "body:none") is None
    assert command(upstash, "INCR", "body:n") == 1
    assert command(upstash, "MGET", "body:k", "body:none") == ["v", None]
    assert command(upstash, "EVAL", "return {1, {'a', {}}, false}", 0) == [1, ["a", []], None]


def test_a_path_is_a_command_with_body_and_query_as_last_arguments(upstash: LocalUpstash) -> None:
    assert call(upstash, "GET", "/set/path:k/a%2Fb%20c").body == {"result": "OK"}
    assert call(upstash, "GET", "/get/path%3Ak").body == {"result": "a/b c"}
    assert call(upstash, "POST", "/set/path:k?EX=100&NX", b"raw \xff body").body == {"result": None}
    assert call(upstash, "PUT", "/set/path:raw?EX=100", b"raw \xff body").body == {"result": "OK"}
    encoded = call(upstash, "GET", "/get/path:raw", Upstash_Encoding="base64").body["result"]
    assert base64.b64decode(encoded) == b"raw \xff body"
    assert 0 < call(upstash, "GET", "/ttl/path:raw").body["result"] <= 100
    assert call(upstash, "HEAD", "/get/path:k")[:2] == (200, b"")


def test_a_pipeline_answers_each_command_in_order_and_goes_on_after_an_error(upstash: LocalUpstash) -> None:
    commands = [["SET", "pipe:k", "v"], ["LPUSH", "pipe:k", "x"], ["BLPOP", "pipe:l", 0], ["GET", "pipe:k"]]
    reply = call(upstash, "POST", "/pipeline", commands)

    assert reply.status == 200
    assert reply.body[0] == {"result": "OK"}
    assert reply.body[1]["error"].startswith("WRONGTYPE ")
    assert reply.body[2] == {"error": "ERR Command is not available: 'BLPOP'"}
    assert reply.body[3] == {"result": "v"}


def test_a_transaction_is_carried_out_whole_or_discarded_whole(upstash: LocalUpstash) -> None:
    done = call(
        upstash, "POST", "/multi-exec", [["SET", "multi:k", "1"], ["LPUSH", "multi:k", "x"], ["INCR", "multi:k"]]
    )
    unknown = call(upstash, "POST", "/multi-exec", [["SET", "multi:k", "9"], ["NOSUCH", "x"]])
    refused = call(upstash, "POST", "/multi-exec", [["SET", "multi:k", "9"], ["SUBSCRIBE", "x"]])

    assert (done.status, done.body[0], done.body[2]) == (200, {"result": "OK"}, {"result": 2})
    assert done.body[1]["error"].startswith("WRONGTYPE ")
    assert unknown.status == 400
    assert unknown.body["error"].startswith("ERR unknown command")
    assert refused[:2] == (400, {"error": "ERR Command is not available: 'SUBSCRIBE'"})
    assert command(upstash, "GET", "multi:k") == "2"


def test_transactions_never_interleave_with_other_requests(upstash: LocalUpstash) -> None:
    workers = CONNECTIONS_MAX + 8
    lists: list[Any] = []

    def work(number: int) -> None:
        for _ in range(3):
            pushes = [["RPUSH", "mix:l", f"{number}:{index}"] for index in range(20)]
            lists.append(call(upstash, "POST", "/multi-exec", pushes).body)
            call(upstash, "POST", "/", ["RPUSH", "mix:l", "alone"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lists) == 3 * workers
    for replies in lists:
        lengths = [reply["result"] for reply in replies]
        assert lengths == list(range(lengths[0], lengths[0] + 20))
    assert command(upstash, "LLEN", "mix:l") == 3 * workers * 21


@pytest.mark.parametrize("path", ["/", "/get/k", "/pipeline", "/multi-exec", "/-/stats", "/nothing"])
def test_every_path_asks_for_the_token(upstash: LocalUpstash, path: str) -> None:
    denied = (401, {"error": "WRONGPASS invalid or missing auth token"})

    assert call(upstash, "POST", path, [["PING"]], token=None)[:2] == denied
    assert call(upstash, "POST", path, [["PING"]], token="wrong")[:2] == denied
    assert call(upstash, "POST", f"{path}?_token=wrong", [["PING"]], token=None)[:2] == denied
    assert call(upstash, "POST", f"{path}?_token={upstash.token}", [["PING"]], token=None).status in (200, 400)


def test_the_token_in_the_query_is_not_an_argument(upstash: LocalUpstash) -> None:
    path = f"/set/token:k/v?_token={upstash.token}&EX=50"

    assert call(upstash, "GET", path, token=None).body == {"result": "OK"}
    assert 0 < command(upstash, "TTL", "token:k") <= 50


def test_other_methods_are_405(upstash: LocalUpstash) -> None:
    assert call(upstash, "DELETE", "/get/k").status == 405
    assert call(upstash, "PATCH", "/", ["PING"]).status == 405


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", b""), ("/", b"{"), ("/", b"[]"), ("/", b"{}"), ("/", b'"PING"'), ("/", b'["SET", "k", NaN]'),
        ("/", b'["SET", "k", ["v"]]'), ("/", b'["SET", "k", {}]'), ("/", b"[" * 100_000), ("/", b"\xff"),
        ("/pipeline", b"[]"), ("/pipeline", b'["PING"]'), ("/pipeline", b"{}"), ("/multi-exec", b"[[]]"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_400_with_an_error(upstash: LocalUpstash, path: str, body: bytes) -> None:
    reply = call(upstash, "POST", path, body)

    assert reply.status == 400
    assert reply.body["error"].startswith("ERR ")


@pytest.mark.parametrize(
    "refused",
    [
        ["blpop", "l", 0], ["XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "$"], ["WATCH", "k"], ["MULTI"],
        ["SUBSCRIBE", "c"], ["MONITOR"], ["SELECT", 1], ["HELLO", 3], ["CLIENT", "REPLY", "OFF"], ["SHUTDOWN"],
    ],
)  # fmt: skip
def test_commands_that_upstash_does_not_offer_are_refused(upstash: LocalUpstash, refused: list[object]) -> None:
    reply = call(upstash, "POST", "/", refused)

    assert reply[:2] == (400, {"error": f"ERR Command is not available: '{str(refused[0]).upper()}'"})
    assert command(upstash, "PING") == "PONG"


def test_errors_keep_their_first_word(upstash: LocalUpstash) -> None:
    command(upstash, "SET", "error:k", "v")

    assert call(upstash, "POST", "/", ["LPOP", "error:k"]).status == 400
    assert command(upstash, "LPOP", "error:k").startswith("WRONGTYPE ")
    assert command(upstash, "EVALSHA", "0" * 40, 0).startswith("NOSCRIPT ")
    assert command(upstash, "GET") == "ERR wrong number of arguments for 'get' command"
    assert command(upstash, "EVAL", "return redis.error_reply('STALE 7')", 0) == "STALE 7"


def test_json_scalars_arrive_as_they_were_written(upstash: LocalUpstash) -> None:
    numbers = b"1.50, 9223372036854775808, 1e5, -0, true, false, null"
    texts = rb'"\ud83d\ude00", "\ud800", "a\u0000b"'
    call(upstash, "POST", "/", b'["RPUSH", "scalar:l", %b, %b]' % (numbers, texts))

    expected = ["1.50", "9223372036854775808", "1e5", "-0", "true", "false", "null", "😀", "\ufffd", "a\0b"]
    assert command(upstash, "LRANGE", "scalar:l", 0, -1) == expected


def test_base64_covers_every_string_but_the_status_ok(upstash: LocalUpstash) -> None:
    assert command(upstash, "SET", "b64:k", "OK", Upstash_Encoding="base64") == "OK"
    assert command(upstash, "GET", "b64:k", Upstash_Encoding="base64") == "T0s="
    assert command(upstash, "PING", Upstash_Encoding="base64") == "UE9ORw=="
    assert command(upstash, "MGET", "b64:k", "b64:none", Upstash_Encoding="base64") == ["T0s=", None]
    assert command(upstash, "LPOP", "b64:k", Upstash_Encoding="base64").startswith("WRONGTYPE ")


def test_resp2_is_raw_and_excludes_base64_and_transactions(upstash: LocalUpstash) -> None:
    raw = {"Upstash_Response_Format": "resp2"}
    command(upstash, "RPUSH", "resp:l", "a", "b")
    reply = call(upstash, "POST", "/pipeline", [["LRANGE", "resp:l", 0, -1], ["GET", "resp:none"], ["PING"]], **raw)

    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.body == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n+PONG\r\n"
    assert call(upstash, "POST", "/", ["PING"], Upstash_Encoding="base64", **raw).status == 400
    assert call(upstash, "POST", "/multi-exec", [["PING"]], **raw).status == 400
    assert call(upstash, "POST", "/", ["PING"], Upstash_Response_Format="resp3").status == 400


def test_a_sync_token_is_answered_and_an_empty_one_accepted(upstash: LocalUpstash) -> None:
    reply = call(upstash, "POST", "/", ["PING"], Upstash_Sync_Token="")

    assert reply.status == 200
    assert reply.headers["upstash-sync-token"]


def test_scripts_with_upstash_s_own_flag_run_by_text_and_by_sha(upstash: LocalUpstash) -> None:
    sha, unseen = (hashlib.sha1(text.encode()).hexdigest() for text in (INCREMENT, READ))

    assert command(upstash, "EVAL", INCREMENT, 1, "lua:n") == 1
    assert command(upstash, "EVALSHA", sha.upper(), 1, "lua:n") == 2
    assert command(upstash, "EVAL_RO", READ, 1, "lua:n") == "2"
    assert command(upstash, "SCRIPT", "LOAD", READ) == unseen
    assert command(upstash, "EVALSHA_RO", unseen, 1, "lua:n") == "2"
    assert command(upstash, "SCRIPT", "EXISTS", sha, unseen, "0" * 40) == [1, 1, 0]
    assert command(upstash, "EVAL", READ.replace("GET", "INCR"), 1, "lua:n").startswith("ERR Write commands")
    assert call(upstash, "POST", "/multi-exec", [["EVAL", INCREMENT, 1, "lua:n"]]).body == [{"result": 3}]


def test_a_script_with_the_flag_touches_only_the_keys_it_declares(upstash: LocalUpstash) -> None:
    refused = "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: lua:o"
    flag = "#!lua flags=allow-key-locking\n"
    copy = "return redis.call('COPY', KEYS[1], 'lua:o')"

    assert command(upstash, "EVAL", flag + "return redis.call('SET', 'lua:o', 1)", 0).startswith(refused)
    assert command(upstash, "EVAL", flag + "return redis.pcall('SET', 'lua:o', 1)", 0) == refused
    assert command(upstash, "EVAL", flag + copy, 1, "lua:n").startswith(refused)
    assert command(upstash, "EVAL", flag + "redis.call('TIME') return redis.call('DEL', KEYS[1])", 1, "lua:o") == 0
    assert "user_script:3" in command(upstash, "EVAL", flag + "\nreturn nil + 1", 0), "line numbers stay right"
    assert command(upstash, "EVAL", "return redis.call('DEL', 'lua:o')", 0) == 0


def test_a_script_with_keys_that_a_cluster_could_part_is_refused(upstash: LocalUpstash) -> None:
    read = "return redis.call('MGET', unpack(KEYS))"
    refused = "CROSSSLOT Keys in request don't hash to the same slot"
    same = [("a{t}1", "{t}2", "x{t}}{u}"), ("lua:n", "lua:n"), ("{t}", "t"), ("{}a",)]
    parted = [("{t}1", "{u}2"), ("lua:n", "lua:o"), ("{}a", "{}b")]

    for names in same:
        assert "CROSSSLOT" not in str(command(upstash, "EVAL", read, len(names), *names))
    for names in parted:
        assert command(upstash, "EVAL", read, len(names), *names) == refused
        assert command(upstash, "EVALSHA", "0" * 40, len(names), *names) == refused
    pipeline = [["SET", "{a}1", "x"], ["EVAL", read, 2, "{a}1", "{b}2"], ["GET", "{a}1"]]
    assert call(upstash, "POST", "/pipeline", pipeline).body == [{"result": "OK"}, {"error": refused}, {"result": "x"}]


def test_a_request_over_10_mib_is_refused_and_one_under_it_is_stored(upstash: LocalUpstash) -> None:
    value = "x" * (10 * 1024 * 1024 - 100)

    assert command(upstash, "SET", "size:k", value) == "OK"
    assert len(command(upstash, "GET", "size:k")) == len(value)
    over = call(upstash, "POST", "/", ["SET", "size:k", value + "x" * 200])
    assert over[:2] == (400, {"error": "ERR max request size exceeded"})
    assert command(upstash, "STRLEN", "size:k") == len(value)
    command(upstash, "DEL", "size:k")


def test_a_request_cut_off_in_its_body_does_nothing(upstash: LocalUpstash) -> None:
    host, port = urlsplit(upstash.url).hostname, urlsplit(upstash.url).port
    head = ("POST /set/cut:k HTTP/1.1", "Host: x", f"Authorization: Bearer {upstash.token}", "Content-Length: 100")
    with socket.create_connection((host, port)) as client:
        client.sendall("\r\n".join((*head, "", "half")).encode())

    assert command(upstash, "EXISTS", "cut:k") == 0


def test_requests_and_commands_are_counted_here_and_over_http(upstash: LocalUpstash) -> None:
    upstash.reset()
    call(upstash, "POST", "/", ["PING"])
    call(upstash, "POST", "/pipeline", [["PING"], ["PING"]])
    call(upstash, "POST", "/", ["PING"], token="wrong")

    assert (upstash.requests, upstash.commands) == (3, 3)
    assert call(upstash, "GET", "/-/stats").body == {"requests": 3, "commands": 3}
    assert call(upstash, "POST", "/-/stats").body == {"requests": 3, "commands": 3}
    assert (upstash.requests, upstash.commands) == (0, 0)


def test_the_delay_comes_before_the_answer_and_not_one_after_another() -> None:
    with LocalUpstash(token="t", delay_ms=100) as upstash:
        started_at_s = time.monotonic()
        threads = [threading.Thread(target=call, args=(upstash, "POST", "/", ["PING"])) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 0.1 <= time.monotonic() - started_at_s < 0.7


def test_one_connection_serves_many_requests(upstash: LocalUpstash) -> None:
    connection = http.client.HTTPConnection(urlsplit(upstash.url).netloc, timeout=10)
    try:
        sockets = set()
        for _ in range(3):
            connection.request("POST", "/", b'["PING"]', {"Authorization": f"Bearer {upstash.token}"})
            assert json.load(connection.getresponse()) == {"result": "PONG"}
            sockets.add(connection.sock)
        assert len(sockets) == 1
        assert None not in sockets
    finally:
        connection.close()


def test_it_listens_on_one_loopback_address_only(upstash: LocalUpstash) -> None:
    with pytest.raises(OSError, match=r"refused|assign|timed out"):
        socket.create_connection(("127.0.0.2", urlsplit(upstash.url).port), timeout=1)


def test_a_stopped_server_is_gone_with_its_store() -> None:
    with LocalUpstash() as upstash:
        socket_path = Path(urlsplit(upstash.redis_url).path)
        assert call(upstash, "POST", "/", ["PING"]).status == 200

    with pytest.raises(ConnectionRefusedError):
        call(upstash, "POST", "/", ["PING"])
    assert not socket_path.parent.exists()
