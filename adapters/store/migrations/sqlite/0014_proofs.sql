-- Proofs of possession that were shown: here they lie in a file of their own, which is not synced; see adapters.store.proofs.

SELECT 1;
