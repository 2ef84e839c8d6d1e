"""The live stream of an org's log. One hub feeds all open streams of an instance."""
