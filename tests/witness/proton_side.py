"""The other side of test_amqp_proton: run by Debian's Python, which has the qpid-proton library; reads orders, writes answers.

An order is a line of JSON: ["make", seed] asks for invented values as proton writes them, ["read", hex] for what proton
reads in ours, ["message", {...}] for a whole message as proton sends it.
"""

from __future__ import annotations

import json
import random
import sys
import uuid
from typing import Any

import proton


def told(value: Any) -> Any:
    """A value in JSON with the kind that matters."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, proton.timestamp):
        return ["time", int(value)]
    if isinstance(value, proton.symbol):
        return ["symbol", str(value)]
    if isinstance(value, float):
        return ["float", value.hex()]
    if isinstance(value, int):
        return ["int", int(value)]
    if isinstance(value, uuid.UUID):
        return ["uuid", value.hex]
    if isinstance(value, bytes | memoryview):
        return ["bytes", bytes(value).hex()]
    if isinstance(value, str):
        return ["text", str(value)]
    if isinstance(value, proton.Described):
        return ["described", told(value.descriptor), told(value.value)]
    if isinstance(value, proton.Array):
        return ["list", [told(v) for v in value.elements]]
    if isinstance(value, dict):
        return ["map", sorted(([told(k), told(v)] for k, v in value.items()), key=repr)]
    return ["list", [told(v) for v in value]]


def invented(dice: random.Random, depth: int = 0) -> Any:
    simple = [
        lambda: None,
        lambda: dice.random() < 0.5,
        lambda: proton.ubyte(dice.randrange(256)),
        lambda: proton.byte(dice.randrange(-128, 128)),
        lambda: proton.ushort(dice.randrange(2**16)),
        lambda: proton.short(dice.randrange(-(2**15), 2**15)),
        lambda: proton.uint(dice.choice([0, 200, 2**31])),
        lambda: proton.int32(dice.choice([0, -1, 200, -(2**31)])),
        lambda: proton.ulong(dice.choice([0, 200, 2**63])),
        lambda: dice.choice([0, -1, 200, -(2**63)]),
        lambda: proton.float32(dice.choice([0.5, -2.0, 0.0])),
        lambda: dice.uniform(-1e9, 1e9),
        lambda: proton.timestamp(dice.randrange(2**41)),
        lambda: uuid.UUID(int=dice.getrandbits(128)),
        lambda: dice.randbytes(dice.choice([0, 3, 255, 256, 700])),
        lambda: "blåbær❤" * dice.choice([0, 1, 40]),
        lambda: proton.symbol("a/b" * dice.choice([0, 1, 90])),
    ]
    deep = [
        lambda: [invented(dice, depth + 1) for _ in range(dice.choice([0, 2, 5]))],
        lambda: {f"k{n}": invented(dice, depth + 1) for n in range(dice.choice([0, 1, 4]))},
        lambda: proton.Described(proton.ulong(dice.randrange(300)), invented(dice, depth + 1)),
        lambda: proton.Array(proton.UNDESCRIBED, proton.Data.INT, 1, -1, 70_000),
        lambda: proton.Array(proton.UNDESCRIBED, proton.Data.STRING, "", "æ" * 200),
    ]
    return dice.choice(simple + (deep * 2 if depth < 3 else []))()


def walked(data: proton.Data) -> Any:
    """What lies where `data` stands, part by part: proton's own reader takes a map's described value for a key."""
    kind = data.type()
    if kind not in (proton.Data.LIST, proton.Data.MAP, proton.Data.ARRAY, proton.Data.DESCRIBED):
        return told(data.get_object())
    data.enter()
    parts = []
    while data.next():
        parts.append(walked(data))
    data.exit()
    if kind == proton.Data.MAP:
        return ["map", sorted(([k, v] for k, v in zip(parts[::2], parts[1::2], strict=True)), key=repr)]
    return ["described", *parts] if kind == proton.Data.DESCRIBED else ["list", parts]


def encoded(value: Any) -> str:
    data = proton.Data()
    data.put_object(value)
    return bytes(data.encode()).hex()


def answer(order: list[Any]) -> Any:
    what, given = order
    if what == "make":
        dice = random.Random(given)
        made = [invented(dice) for _ in range(400)]
        return [[encoded(value), told(value)] for value in made]
    if what == "read":
        data = proton.Data()
        data.decode(bytes.fromhex(given))
        data.rewind()
        data.next()
        return walked(data)
    message = proton.Message(**given)
    return bytes(message.encode()).hex()


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
