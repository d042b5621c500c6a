"""Figures that set networks side by side: estimators, redesigns, studies, sweeps, and the ledger of claims."""
