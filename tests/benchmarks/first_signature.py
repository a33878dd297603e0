"""
What a fresh process does: import a module, have it sign once, and tell what CPU that took.

Given are the module, its function, and on standard input the function's arguments.
"""

import json
import sys
import time
from importlib import import_module


def main() -> None:
    # On Lambda the runtime is there before the function's module.
    import_module("awslambdaric.bootstrap")
    name, function = sys.argv[1:]
    arguments = json.load(sys.stdin)
    # boto3's example is imported as if it lay beside the handler.
    start = time.process_time()
    answer = getattr(import_module(name), function)(*arguments)
    cpu_s = time.process_time() - start
    loaded = sorted({"boto3", "botocore"} & sys.modules.keys())
    # The last line; a handler has written its own before.
    json.dump({"cpu_s": cpu_s, "answer": answer, "loaded": loaded}, sys.stdout)


if __name__ == "__main__":
    main()
