"""Invoices, receipts and credit notes."""
