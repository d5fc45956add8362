# ruff: noqa: S311, SIM905 - made-up texts, in lists that people read
"""Many workflows that nobody has written: what they say of themselves, the same every time."""

from __future__ import annotations

import random

from naftiko.search.ports import Document, Field

_VERBS = (
    "back up,restore,rotate,report,audit,delete,enable,disable,scale,stop,start,tag,copy,release,"
    "publish,check,isolate,block,retry,schedule,encrypt,resize,failover,monitor,list,clean up"
).split(",")
_THINGS = (
    "database,bucket,queue,function,volume,snapshot,certificate,secret,access key,user,role,policy,"
    "instance,cluster,service,task,image,repository,parameter,pipeline,stage,stream,shard,zone,"
    "record,budget,alarm,log group,topic,table,distribution,gateway,trail,finding,quota,address"
).split(",")
_SERVICES = (
    "rds,s3,sqs,lambda,ebs,acm,secretsmanager,iam,ec2,eks,ecs,ecr,ssm,codepipeline,kinesis,route53,"
    "budgets,cloudwatch,logs,sns,dynamodb,cloudfront,apigateway,cloudtrail,guardduty,kms,efs,waf"
).split(",")
_TEAMS = (
    "payments,search,billing,checkout,orders,catalog,shipping,fraud,identity,reporting,marketing,"
    "warehouse,mobile,partners,support,risk,ledger,pricing,media,events,graph,loyalty,returns,tax"
).split(",")
_WHEN = "before a release,every night,after an incident,for the audit,in one region,by tag".split(
    ","
)

QUESTIONS = 200


def workflow_documents(count: int) -> list[Document]:
    """Return documents of six fields each."""
    chance = random.Random(20_240_601)
    return [_document(number, chance) for number in range(count)]


def _document(number: int, chance: random.Random) -> Document:
    verb, thing, service, team = _picked(chance)
    name = f"{verb} {thing} of {team} {number}"
    texts = [
        ("name", name),
        ("description", f"{verb.capitalize()} the {thing} of {team} {chance.choice(_WHEN)}"),
        ("summary", f"{service} {verb} {thing} {team} {chance.choice(_THINGS)}"),
    ]
    for _ in range(3):
        other = chance.choice(_THINGS)
        when = chance.choice(_WHEN)
        texts.append(("use case", f"How do I {verb} a {thing} and its {other} {when}"))
    return Document(
        id=name.replace(" ", "_"),
        fields=tuple(Field(*text) for text in texts),
        rank=chance.randrange(0, 100) / 10,
    )


def queries() -> list[str]:
    """Return what is asked of them; one in four words is misspelt."""
    chance = random.Random(7)
    made = []
    for _ in range(QUESTIONS):
        verb, thing, service, team = _picked(chance)
        if len(thing) > 4 and chance.random() < 0.5:
            thing = thing[:2] + thing[3] + thing[2] + thing[4:]
        made.append(f"{verb} our {service} {thing} for {team}")
    return made


def _picked(chance: random.Random) -> tuple[str, ...]:
    return tuple(chance.choice(words) for words in (_VERBS, _THINGS, _SERVICES, _TEAMS))
