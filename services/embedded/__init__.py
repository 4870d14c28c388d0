"""The embedded default: all that `huifang up` needs on one machine, without Docker and without an account.

owns    one folder with keys, secrets, the clock's state and PostgreSQL; the schema `mailbox`
starts  PostgreSQL 18 and a Kafka-protocol broker from wheels, and a mailbox that takes mails and SMS instead of people
plays   the sample: closed tickets, signed and posted as the ITSM systems do it
never   stands in a real installation: `serve` uses nothing from here
"""
