"""Labels: Compose v2's own, so that its commands see our projects as theirs, and ours."""

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONEOFF = "com.docker.compose.oneoff"
CONFIG_HASH = "com.docker.compose.config-hash"
WORKING_DIR = "com.docker.compose.project.working_dir"
CONFIG_FILES = "com.docker.compose.project.config_files"
DEPENDS_ON = "com.docker.compose.depends_on"
IMAGE = "com.docker.compose.image"
VERSION = "com.docker.compose.version"
NETWORK = "com.docker.compose.network"
VOLUME = "com.docker.compose.volume"

COMPOSE_VERSION = "2.26.1"  # the release whose behaviour is followed

RUN = "io.operator-demo.run"
UP_LOCK = "io.operator-demo.up-lock"
OPERATOR_VERSION = "io.operator-demo.version"  # of the program that began the run, for people
SCHEMA = "io.operator-demo.schema"  # the schema version of what the containers of the run say
SUBJECT = "io.operator-demo.subject"
SESSION = "io.operator-demo.session"  # on containers that a session of the agent makes
MARK = "io.operator-demo.mark"  # on volumes that we make: random, so that one made anew can be told
STAND_IN = "io.operator-demo.stand-in"  # on images that answer in the place of the real system, in tests
CONTEXT = "io.operator-demo.context"  # on images: the digest of what they were built from
