"""Hardware units: generator, golden model and timing of each brought together; needs what `accelsim[rtl]` installs."""
