"""Is the content as the standards say? One small rule for each question, beyond what a schema can ask; one chain orders them."""
