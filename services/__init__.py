"""The frame that every room stands on: pipes and wires. Owns nothing of the business; imports no room."""
