# Databricks notebook source
# MAGIC %md
# MAGIC # 1 Build the graph and look at it
# MAGIC
# MAGIC Runs on a classic single-user ML cluster that has the wheel (`databricks bundle deploy` puts it there; docs/databricks.md).
# MAGIC Reads the files that the profile names; does nothing where the graph is up to date.

# COMMAND ----------

dbutils.widgets.text("profile", "databricks", "Profile, or a YAML file")
dbutils.widgets.text("lake_root", "", "Lake: cloud URI of an external location")
dbutils.widgets.text("overrides", "", "Further key=value, parted by blanks")

# COMMAND ----------

from jobs import build_kg
from jobs._run import execute

given = [
    f"profile={dbutils.widgets.get('profile')}",
    f"lake.root={dbutils.widgets.get('lake_root')}",
    *dbutils.widgets.get("overrides").split(),
]

assert execute("build_kg", build_kg.main, given) == 0

# COMMAND ----------

# MAGIC %md
# MAGIC ## What is in it

# COMMAND ----------

from conf.lake import Lake
from conf.loading import load

lake = Lake(load(given))
nodes = spark.read.format("delta").load(lake.uri("nodes"))
edges = spark.read.format("delta").load(lake.uri("edges"))
display(nodes.groupBy("type").count().orderBy("count", ascending=False))

# COMMAND ----------

display(edges.groupBy("predicate", "kind", "polarity").count().orderBy("count", ascending=False))

# COMMAND ----------

display(nodes.select("name", "type", "degree", "generic", "sources").orderBy("degree", ascending=False).limit(25))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Around its busiest node that is not too general

# COMMAND ----------

from medreason_ray.review.picture import picture

[hub] = nodes.where("not generic").orderBy("degree", "node_id", ascending=[False, True]).limit(1).collect()
ends = nodes.select("node_id", "name")
around = (
    edges.where((edges.src == hub["node_id"]) | (edges.dst == hub["node_id"]))
    .join(ends.toDF("src", "from"), "src")
    .join(ends.toDF("dst", "to"), "dst")
    .select("from", "phrase", "to")
    .orderBy("from", "phrase", "to")
    .limit(12)
)
displayHTML(picture([tuple(row) for row in around.collect()], starts={hub["name"]}))

# COMMAND ----------

display(spark.read.format("delta").load(lake.uri("graph_profile")).orderBy("section", "name"))
