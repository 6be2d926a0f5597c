"""Structure of files, read without decoding them: what decoders may see is checked and cleaned first."""
