"""May it come in? One file for each question, and one chain that puts them in order, cheap and certain first."""
