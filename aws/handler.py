"""
What Lambda imports, and calls: `aws.handler.handler`. Importing it starts the instance, while nobody waits yet.
"""

from aws.instance import Instance
from aws.variables import prepare

prepare()
handler = Instance()
