"""JSON schemas of the Kubernetes objects in `cluster/`: what a typing error would break.

Field names and types follow the API types of KubeRay (ray.io/v1, KubeRay 1.6) and of Kubernetes;
only the fields that a Ray platform uses are listed, and every other one is refused. A name that is
right but missing here is added here.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
NAME: Schema = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
QUANTITY: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|k|[KMGT]i?)?$"}


def fields(required: str = "", **properties: Schema) -> Schema:
    """An object of exactly these fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


RESOURCES = fields(
    requests={"type": "object", "additionalProperties": QUANTITY},
    limits={"type": "object", "additionalProperties": QUANTITY},
)
KEY = fields("name key", name=NAME, key=TEXT, optional=FLAG)
PROBE = fields(
    exec=fields("command", command=TEXTS),
    httpGet=fields("path port", path=TEXT, port=NUMBER),
    initialDelaySeconds=NUMBER,
    periodSeconds=NUMBER,
    timeoutSeconds=NUMBER,
    failureThreshold=NUMBER,
)
CONTAINER = fields(
    "name image",
    name=NAME,
    image=TEXT,
    imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
    command=TEXTS,
    args=TEXTS,
    env=many(fields("name", name=TEXT, value=TEXT, valueFrom=fields(secretKeyRef=KEY))),
    ports=many(fields("containerPort", containerPort=NUMBER, name={**NAME, "maxLength": 15})),
    resources=RESOURCES,
    volumeMounts=many(fields("name mountPath", name=NAME, mountPath=TEXT, readOnly=FLAG)),
    readinessProbe=PROBE,
    livenessProbe=PROBE,
)
POD = fields(
    "containers",
    restartPolicy=one_of("Always", "OnFailure", "Never"),
    securityContext=fields(fsGroup=NUMBER, runAsUser=NUMBER),
    tolerations=many(
        fields(
            key=TEXT,
            operator=one_of("Exists", "Equal"),
            value=TEXT,
            effect=one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
        )
    ),
    nodeSelector=MAP,
    serviceAccountName=NAME,
    containers=many(CONTAINER),
    volumes=many(
        fields(
            "name",
            name=NAME,
            persistentVolumeClaim=fields("claimName", claimName=NAME),
            emptyDir=fields(medium=one_of("", "Memory"), sizeLimit=QUANTITY),
        )
    ),
)
METADATA = fields(name=NAME, labels=MAP, annotations=MAP, namespace=NAME)
TEMPLATE = fields("spec", metadata=METADATA, spec=POD)

# KubeRay ------------------------------------------------------------------------------------------

GROUP = {"rayStartParams": MAP, "template": TEMPLATE, "resources": MAP, "labels": MAP}
RAY_CLUSTER = fields(
    "headGroupSpec rayVersion",
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=fields(
        version=one_of("v1", "v2"),
        idleTimeoutSeconds=NUMBER,
        upscalingMode=one_of("Default", "Aggressive", "Conservative"),
        resources=RESOURCES,
        image=TEXT,
    ),
    authOptions=fields("mode", mode=one_of("token", "disabled")),
    headGroupSpec=fields("rayStartParams template", **GROUP),
    workerGroupSpecs=many(
        fields(
            "groupName rayStartParams template minReplicas maxReplicas",
            groupName=NAME,
            replicas=NUMBER,
            minReplicas=NUMBER,
            maxReplicas=NUMBER,
            numOfHosts=NUMBER,
            idleTimeoutSeconds=NUMBER,
            **GROUP,
        )
    ),
)
RAY_JOB = fields(
    "entrypoint rayClusterSpec",
    entrypoint=TEXT,
    submissionMode=one_of("K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"),
    runtimeEnvYAML=TEXT,
    backoffLimit=NUMBER,
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    shutdownAfterJobFinishes=FLAG,
    ttlSecondsAfterFinished=NUMBER,
    suspend=FLAG,
    metadata=MAP,
    entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"},
    entrypointResources=TEXT,
    rayClusterSpec=RAY_CLUSTER,
)
RAY_SERVICE = fields(
    "serveConfigV2 rayClusterConfig",
    serveConfigV2=TEXT,
    upgradeStrategy=fields(
        "type", type=one_of("NewCluster", "NewClusterWithIncrementalUpgrade", "None")
    ),
    rayClusterDeletionDelaySeconds=NUMBER,
    excludeHeadPodFromServeSvc=FLAG,
    rayClusterConfig=RAY_CLUSTER,
)

# Kubernetes ---------------------------------------------------------------------------------------

CLAIM = fields(
    "accessModes resources",
    accessModes=many(one_of("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")),
    storageClassName=NAME,
    resources=RESOURCES,
)
SELECTOR = fields("matchLabels", matchLabels=MAP)
DEPLOYMENT = {"replicas": NUMBER, "selector": SELECTOR, "template": TEMPLATE}
KINDS: dict[tuple[str, str], Schema] = {
    ("ray.io/v1", "RayCluster"): RAY_CLUSTER,
    ("ray.io/v1", "RayJob"): RAY_JOB,
    ("ray.io/v1", "RayService"): RAY_SERVICE,
    ("v1", "PersistentVolumeClaim"): CLAIM,
    ("v1", "Service"): fields(
        "selector ports",
        selector=MAP,
        clusterIP=TEXT,
        ports=many(fields("port", name=NAME, port=NUMBER, targetPort=NUMBER)),
    ),
    ("apps/v1", "Deployment"): fields(
        "selector template",
        strategy=fields("type", type=one_of("Recreate", "RollingUpdate")),
        **DEPLOYMENT,
    ),
    ("apps/v1", "StatefulSet"): fields(
        "selector template serviceName",
        serviceName=NAME,
        volumeClaimTemplates=many(fields("metadata spec", metadata=METADATA, spec=CLAIM)),
        **DEPLOYMENT,
    ),
}


def schema_of(manifest: dict[str, Any]) -> Schema:
    """The schema for a manifest's kind; KeyError for a kind that is not listed."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    return fields(
        "apiVersion kind metadata spec",
        apiVersion={"const": version},
        kind={"const": kind},
        metadata={**METADATA, "required": ["name"]},
        spec=KINDS[version, kind],
    )
