"""The verifier in other people's trainers: thin adapters, each for one library.

A row that they train on has its problem in the column "problem": a problem in words, JSON (text or
object) of a `quasar.Problem`, or a row of a problem file. Circuits are verified in a guarded
process, so that a hostile one ends the process and not the training.
"""
