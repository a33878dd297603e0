"""URLs, policies, keys and signatures, as exact bytes; only `kms` reaches AWS."""
