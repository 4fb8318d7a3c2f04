"""Engines that run a program: ``grid``, in steps of dt as Brian2 defines them."""
