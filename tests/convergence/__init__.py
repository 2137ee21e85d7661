"""The law of replication: after enough runs the tables equal the PIM, whatever happened in between.

`world.py` is a PIM whose data change, `interference.py` is what happens while a run goes on, `target.py` is what loads
the messages, and `test_laws.py` invents histories of them and says what must hold.
"""
