"""The parts of the policy's language, one file for each of its chapters; `services.contracts.policy` is the whole.

A sentence below a key says what it means: it stands in `docs/policy.schema.json` too, where editors find it.
"""
