# Databricks notebook source
# MAGIC %md
# MAGIC # 3 Generate at scale on a GPU cluster
# MAGIC
# MAGIC Runs on a classic single-user ML cluster that has the wheel (`databricks bundle deploy` puts it there; docs/databricks.md).
# MAGIC Runs the whole pipeline: Spark for the graph and the paths, Ray on Spark for what asks a model (`ray.on_spark.workers=N`, one Ray
# MAGIC node a machine; shut down behind each step). A run that was stopped goes on where it stopped; no request is asked twice.
# MAGIC
# MAGIC Overrides for a model on the cluster's GPUs: `engine.name=vllm engine.model=FOLDER engine.actors=2
# MAGIC judge.name=vllm judge.model=OTHER judge.actors=2 ray.on_spark.workers=2`.

# COMMAND ----------

dbutils.widgets.text("profile", "databricks", "Profile, or a YAML file")
dbutils.widgets.text("lake_root", "", "Lake: cloud URI of an external location")
dbutils.widgets.text("overrides", "", "Further key=value, parted by blanks")
dbutils.widgets.dropdown("plan", "no", ["no", "yes"], "Ask 1 % first and say what all will take")

# COMMAND ----------

from jobs import plan_run, run_pipeline
from jobs._run import execute

given = [
    f"profile={dbutils.widgets.get('profile')}",
    f"lake.root={dbutils.widgets.get('lake_root')}",
    *dbutils.widgets.get("overrides").split(),
]

# COMMAND ----------

if dbutils.widgets.get("plan") == "yes":
    assert execute("plan_run", plan_run.main, given) == 0

# COMMAND ----------

code = execute("run_pipeline", run_pipeline.main, given)
assert code == 0, "the line above says what to do"

# COMMAND ----------

# MAGIC %md
# MAGIC ## What came out

# COMMAND ----------

from conf.lake import Lake
from conf.loading import load

lake = Lake(load(given))
release = spark.read.format("delta").load(lake.uri("release"))
display(release.select("question", "answer", "reasoning", "tier", "grounded", "model").orderBy("question_id").limit(20))

# COMMAND ----------

print(lake.commit("release").facts)
