# The name of the small model's config before its backbone changed, for configs of users
# that inherit it: they get the small model of today.
_base_ = './glip_nano_csp_minilm.py'
