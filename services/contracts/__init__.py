"""The words that rooms share: events, the policy's language, questionnaires, and the wires between rooms.

Nothing here does anything: no input or output, no clock, no database. `topics` has the whole flow on one page.
"""
