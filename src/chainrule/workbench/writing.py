"""Predictions written piece by piece: to a file that appears whole or not at all, or as CSV to standard output."""
from __future__ import annotations
import sys
from typing import Any
class Writer:
    def __init__(self, path): self.path=path; self.rows=0; self.columns=[]; self.lines=[]
    def write(self, columns):
        if not self.columns: self.columns=[*columns]; self.lines.append(",".join(columns))
        v=[c.tolist() for c in columns.values()]; self.rows+=len(v[0])
        self.lines+=[",".join(map(str,r)) for r in zip(*v)]
    def __enter__(self): return self
    def __exit__(self, kind, *a):
        text="\n".join(self.lines)+"\n"
        if kind: return
        if self.path: open(self.path,"w").write(text)
        else: sys.stdout.write(text)
