"""
Whether a key may sign is tried end to end, with an edge and a canary.

See tests/local/rotation/test_rotate_keys.py::TestCanary, and test_rotation_storm.py, which knows
when the edges trust which key.
"""
