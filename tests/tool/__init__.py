"""Tests of the tool, in process unless a process is the subject."""
