"""Assets and checks of the intent stage."""
