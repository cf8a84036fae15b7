"""Stack traces of usual languages: their top frames, the same whatever lines, folders and builds there are."""

from __future__ import annotations

import re

import pytest

from sla_kit.logs.fingerprint import fingerprint, frames

PYTHON = """Traceback (most recent call last):
  File "/app/db.py", line 10, in connect
    raise OSError
OSError: refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/flask/app.py", line 1484, in full_dispatch_request
    rv = self.dispatch_request()
         ^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/api/orders.py", line 42, in place
    charge(order)
  File "/app/api/payment.py", line 7, in charge
    raise PaymentError("card of bob@example.com refused")
app.errors.PaymentError: card of bob@example.com refused
"""
JAVA = """com.example.OrderException: order 4711 failed
\tat com.example.OrderService.place(OrderService.java:42)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.sql.SQLException: timeout
\tat org.postgresql.Driver$Pool.connect(Driver.java:17)
\tat jdk.internal.reflect.GeneratedMethodAccessor17.invoke(Unknown Source)
\tat app//com.example.Repository$$Lambda$14/0x0000000800c03000.apply(Unknown Source)
\tat com.example.Repository.lambda$find$3(Repository.java:9)
\t... 12 more
"""
NODE = """Error: connect ECONNREFUSED 10.0.0.1:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1495:16)
    at new Pool (/app/node_modules/pg-pool/index.js:45:11)
    at async Orders.place (file:///app/dist/main.3f2a1b9c.js:10:5)
    at /app/dist/server.js:3:14
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""
GO = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47b2e4]

goroutine 17 [running]:
panic({0x4a8c60, 0x55b2d0})
\t/usr/local/go/src/runtime/panic.go:770 +0x132
example.com/shop/orders.(*Service).Place(0xc0000b2000, {0x4c1234, 0x5})
\t/src/orders/service.go:42 +0x1d
main.main.func1()
\t/src/main.go:12 +0x25
created by main.main in goroutine 1
\t/src/main.go:11 +0x1a

goroutine 1 [chan receive]:
main.wait(...)
\t/src/main.go:30
"""
NET = """System.InvalidOperationException: order failed
 ---> System.Data.SqlException: timeout
   at Shop.Data.Pool.Connect(String host, Int32 port) in C:\\src\\Pool.cs:line 17
   at Shop.Data.Orders.<PlaceAsync>d__5.MoveNext()
   --- End of inner exception stack trace ---
   at Shop.Web.Program.<Main>$(String[] args) in C:\\src\\Program.cs:line 3
"""
RUBY = """/app/models/order.rb:42:in `charge': card refused (PaymentError)
\tfrom /app/models/order.rb:12:in `block in place'
\tfrom /usr/lib/ruby/gems/3.2.0/gems/rack-3.0.8/lib/rack/server.rb:9:in `call'
"""
RUST = """thread 'main' panicked at src/main.rs:4:5:
called `Option::unwrap()` on a `None` value
stack backtrace:
   0: rust_begin_unwind
             at /rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/std/src/panicking.rs:665:5
   1: core::panicking::panic_fmt
             at /rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/core/src/panicking.rs:76:14
   2: shop::orders::place::h0123456789abcdef
             at ./src/orders.rs:42:9
   3: shop::main
             at ./src/main.rs:4:5
"""
PHP = """PaymentException: refused in /app/src/Order.php:42
Stack trace:
#0 /app/src/Order.php(42): App\\Order->charge()
#1 /app/public/index.php(9): App\\Kernel->handle(Object(Request))
#2 {main}
"""
GOLDEN = {
    "python": (PYTHON, ("payment.py:charge", "orders.py:place", "app.py:full_dispatch_request")),
    "java": (
        JAVA,
        ("org.postgresql.Driver$Pool.connect", "com.example.Repository$$.apply", "com.example.Repository.lambda$find$"),
    ),
    "node": (
        NODE,
        ("TCPConnectWrap.afterConnect:node:net", "Pool:index.js", "Orders.place:main.js", "server.js"),
    ),
    "go": (GO, ("example.com/shop/orders.(*Service).Place", "main.main.func")),
    "net": (NET, ("Shop.Data.Pool.Connect", "Shop.Data.Orders.<PlaceAsync>d__.MoveNext")),
    "ruby": (RUBY, ("order.rb:charge", "order.rb:block in place", "server.rb:call")),
    "rust": (RUST, ("shop::orders::place", "shop::main")),
    "php": (PHP, ("Order.php:App\\Order->charge", "index.php:App\\Kernel->handle")),
}


@pytest.mark.parametrize("language", sorted(GOLDEN))
def test_the_innermost_frames_come_first(language: str) -> None:
    stack, expected = GOLDEN[language]
    assert frames(stack) == expected


@pytest.mark.parametrize("language", sorted(GOLDEN))
def test_another_build_has_the_same_key(language: str) -> None:
    stack = GOLDEN[language][0]
    other = re.sub(r"(:|line |\(|\$)(\d+)", lambda found: f"{found[1]}{int(found[2]) + 1}", stack)
    other = (
        other.replace("/app/", "/usr/src/app-2/").replace("3f2a1b9c", "77aa01bd").replace("0123456789abcdef", "f" * 16)
    )
    other = other.replace("0xc0000b2000", "0xc000123456").replace("C:\\src", "D:\\build")
    assert other != stack
    assert fingerprint("E", "m", other) == fingerprint("E", "m", stack)


def test_another_place_has_another_key() -> None:
    assert fingerprint("E", "m", PYTHON).key != fingerprint("E", "m", PYTHON.replace("in charge", "in refund")).key


def test_what_is_no_stack_has_no_frames() -> None:
    assert frames("") == ()
    assert frames("order 17 failed at noon (again)\nsee: http://example.com:80/x") == ()


def test_a_recursion_is_as_deep_as_it_is() -> None:
    line = '  File "/app/tree.py", line 3, in walk\n'
    head = "Traceback (most recent call last):\n"
    assert frames(head + line * 2) == frames(head + line * 900) == ("tree.py:walk",)
