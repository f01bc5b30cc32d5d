"""Assets and checks of the train stage."""
