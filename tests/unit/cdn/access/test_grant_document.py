"""The parser is tested with what its grants decide, in test_grants: documents are its input."""
