"""Assets and checks of the simulate stage."""
