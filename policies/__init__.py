"""The packs: each file is one source policy, whole. They are data; nothing here runs."""
