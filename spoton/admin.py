"""The administration shows what administrators work with, not the bookkeeping of tokens."""

from django.contrib import admin
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

for model in (BlacklistedToken, OutstandingToken):
    admin.site.unregister(model)
