"""What every user of an AMQP 0.9.1 broker of ours shares: its settings, and a connection that is kept."""
