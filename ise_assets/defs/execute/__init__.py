"""Assets and checks of the execute stage."""
