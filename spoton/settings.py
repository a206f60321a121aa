"""Django settings. Everything an operator may change comes from `spoton.env`; the rest is fixed here."""

from datetime import timedelta

from psycopg.conninfo import conninfo_to_dict

from spoton import env as _env
from spoton.picture_storage import picture_storage
from spoton.services.redis import celery_broker_url

ENV = _env.load()
BASE_DIR = _env.BASE_DIR
SECRET_KEY = _env.secret_key(ENV)
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)

INSTALLED_APPS = [
    # before the admin, whose templates it extends
    "environments",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "corsheaders",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "tracking",
    "analytics",
    "exports",
    "spoton",
    "spoton.console",
]

MIDDLEWARE = [
    "spoton.api.request_id.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "spoton.urls"
APPEND_SLASH = False
ASGI_APPLICATION = "spoton.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# -- data ----------------------------------------------------------------------------------------------------

DATABASE_URL, REDIS_URL = _env.service_urls(ENV)
_db = conninfo_to_dict(DATABASE_URL) if DATABASE_URL else {}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _db.pop("dbname", "spoton"),
        "USER": _db.pop("user", ""),
        "PASSWORD": _db.pop("password", ""),
        "HOST": _db.pop("host", "no-database-is-running:-start-one-with-make-up"),
        "PORT": str(_db.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**_db, "connect_timeout": 5},
    }
}
if ENV.database_pool:
    # every request of the web server has a thread of its own, and would make a connection of its own
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": ENV.database_pool,
        "timeout": 5,
        # whoever asks next tries again: a database that is back is used at once, not after growing pauses
        "reconnect_timeout": 1,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL or "redis://no-redis-is-running",
        "KEY_PREFIX": "spoton",
    }
}

# -- time, language, files -----------------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
STATIC_URL = "/static/"
STATIC_ROOT = ENV.var_dir / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = ENV.var_dir / "media"
MEDIA_URL = "/never-served-directly/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "pictures": picture_storage(ENV),
}

# -- security ------------------------------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CORS_ALLOWED_ORIGINS = list(ENV.cors_origins)
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True

# -- REST ----------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["spoton.auth.authentication.SessionJWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["spoton.api.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["environments.json_parser.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "spoton.api.pagination.CursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.AnonRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {"user": "6000/min", "anon": "120/min", "login": "10/min"},
    # nobody in front of us is trusted to say who the client is, unless the operator puts a proxy there
    "NUM_PROXIES": ENV.proxies,
    "EXCEPTION_HANDLER": "spoton.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=ENV.access_token_minutes),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=ENV.refresh_token_days),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "UPDATE_LAST_LOGIN": True,
    "ISSUER": "spoton",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SpotOn",
    "DESCRIPTION": "Follows people across many cameras, on one map, live and in recordings.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "HealthEnum": "spoton.system.serializers.HEALTH",
        "MaintenanceActionEnum": "spoton.system.serializers.ACTION_NAMES",
        "TaskStatusEnum": "tracking.models.ProcessingTask.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "spoton.api.schema.tell_the_truth",
    ],
}

# -- Celery --------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = celery_broker_url(REDIS_URL) if REDIS_URL else "redis://no-redis-is-running"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Longer than the longest job (rendering, exports), or it would be given to a second worker. Nothing waits this long
# for a killed worker: the tasks' messages are few seconds of work and are sent again by the watchdog.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 2400,
    # what is live never waits behind what is recorded; see tracking.schedule
    "priority_steps": [0, 3, 6],
    "queue_order_strategy": "priority",
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# loading large networks onto a GPU takes longer than the usual 4 s
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_WORKER_SEND_TASK_EVENTS = True
# that a message was sent shows when a worker receives it, a moment later
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_ROUTES = {
    "workers.associate": {"queue": "associate"},
    "workers.*": {"queue": "media"},
    "exports.*": {"queue": "exports"},
    "analytics.*": {"queue": "reports"},
    "tracking.*": {"queue": "maintenance"},
    "environments.*": {"queue": "maintenance"},
    "spoton.*": {"queue": "reports"},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(ENV.var_dir / "run" / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    # re-enqueues what a killed process or a lost message left undone; cheap when nothing is wrong
    "watch tasks": {"task": "tracking.watch_tasks", "schedule": 3.0, "options": {"expires": 3.0}},
    "watch exports": {
        "task": "exports.watch",
        "schedule": 60.0,
        "options": {"expires": 60.0, "queue": "maintenance"},
    },
    "forget appearances": {"task": "tracking.forget_appearances", "schedule": 3600.0},
    "forget expired sessions": {"task": "environments.forget_expired_sessions", "schedule": 86400.0},
    "forget crops": {"task": "tracking.forget_crops", "schedule": 3600.0},
    # the storage may be far away: not among the maintenance tasks, which must not wait
    "delete pictures": {
        "task": "tracking.delete_pictures",
        "schedule": 30.0,
        "options": {"expires": 30.0, "queue": "media"},
    },
}

if ENV.compat_environments:
    CELERY_BEAT_SCHEDULE["follow feedback"] = {
        "task": "spoton.follow_feedback",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    }

# -- logs ----------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "spoton.api.request_id.RequestIdFilter"},
        "context": {"()": "spoton.logs.ContextFilter"},
    },
    "formatters": {
        "line": {
            "format": "{asctime} {levelname:<7} {name}: {message}{request_suffix}{context_suffix}",
            "style": "{",
            "datefmt": "%H:%M:%S",
        },
        "json": {"()": "spoton.logs.JsonFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": ENV.log_format,
            "filters": ["request_id", "context"],
        }
    },
    "root": {"handlers": ["console"], "level": ENV.log_level},
    "loggers": {
        "uvicorn": {"level": "WARNING"},
        "django.channels.server": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        # below that they tell of signatures and headers
        "boto3": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "s3transfer": {"level": "WARNING"},
        "urllib3": {"level": "WARNING"},
        "faiss": {"level": "WARNING"},
    },
}
