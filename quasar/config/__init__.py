"""The typed configuration: one validated tree, loaded from YAML, overridden from the command line.

Each value carries its unit, default and meaning in its section's file and nowhere else. Unknown
keys are refused with the nearest valid name. `load_config("laptop", ["grpo.iterations=10"])` is the
way in.
"""

from quasar.config.dataset import DatasetConfig, StyleName
from quasar.config.files import (
    PRESETS,
    absolute_place,
    computed,
    config_from_dict,
    flatten,
    load_config,
    marked,
    to_commented_yaml,
    with_absolute_places,
    with_overrides,
)
from quasar.config.improvement import ImproveConfig
from quasar.config.learning import (
    CurriculumConfig,
    GrpoConfig,
    LearnerConfig,
    RolloutConfig,
    SftConfig,
    ValidationConfig,
    WeightsChoice,
)
from quasar.config.policy import (
    GenerationConfig,
    OptimiseMethod,
    PolicyConfig,
    RemoteConfig,
    ToolName,
    checked_tools,
)
from quasar.config.section import Section
from quasar.config.services import (
    ClusterConfig,
    EvaluationConfig,
    RunConfig,
    ServingConfig,
    TrackingConfig,
)
from quasar.config.tree import QuasarConfig
from quasar.config.verification import (
    DeviceName,
    NoiseConfig,
    RewardConfig,
    RewardWeights,
    VerificationConfig,
)

__all__ = [
    "PRESETS",
    "ClusterConfig",
    "CurriculumConfig",
    "DatasetConfig",
    "DeviceName",
    "EvaluationConfig",
    "GenerationConfig",
    "GrpoConfig",
    "ImproveConfig",
    "LearnerConfig",
    "NoiseConfig",
    "OptimiseMethod",
    "PolicyConfig",
    "QuasarConfig",
    "RemoteConfig",
    "RewardConfig",
    "RewardWeights",
    "RolloutConfig",
    "RunConfig",
    "Section",
    "ServingConfig",
    "SftConfig",
    "StyleName",
    "ToolName",
    "TrackingConfig",
    "ValidationConfig",
    "VerificationConfig",
    "WeightsChoice",
    "absolute_place",
    "checked_tools",
    "computed",
    "config_from_dict",
    "flatten",
    "load_config",
    "marked",
    "to_commented_yaml",
    "with_absolute_places",
    "with_overrides",
]
