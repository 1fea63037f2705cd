"""DNS questions: asked directly of the servers meant, and what their answers say. The core's one door to dnspython.

Names go in and come out as the owner names of ``dnsbroker.names``, values in the text forms of ``dnsbroker.records``.
"""
