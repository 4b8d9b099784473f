"""A parse process that some messages bring down in the ways in which hostile mail would."""

import os
import sys
import time

from services.ingest.adapters import parse_process


def parse(raw, domains):
    """Do what the message says, else parse it."""
    if b"cannot-be-parsed" in raw or b"please-raise" in raw:
        raise KeyError("quoted mail")
    if b"please-die" in raw:
        os._exit(1)
    if b"please-hang" in raw:
        time.sleep(600)
    if b"please-eat" in raw:
        return bytearray(1 << 40)
    return sound_parse(raw, domains)


sound_parse, parse_process.parse = parse_process.parse, parse

if __name__ == "__main__":
    parse_process.main(int(sys.argv[1]))
