"""This will keep what operators did, where every other app can write it down."""
