"""The national message bus: AMQP 0.9.1 and 1.0 (nhn-amqp.md)."""
